/*
 * conda execute
 * env:
 *  - gcc
 *  - make  # [unix]
 */
int main(void) { return 0; }
