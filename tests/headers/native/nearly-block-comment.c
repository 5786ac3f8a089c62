/* conda execute
 * env:
 *  - gcc
 */
int main(void) { return 0; }
