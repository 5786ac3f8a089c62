/* How many steps a number takes to reach 1. This is a conda-script header. Its entrypoint compiles the program into a
 * directory that is kept for this script, and runs it.
 */

// /// conda-script
// channels = ["conda-forge"]
// entrypoint = 'gcc -O2 -o "${CACHE}/collatz" "${SCRIPT}" && "${CACHE}/collatz"'
//
// [dependencies]
// gcc = "*"
// /// end-conda-script

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    unsigned long long number = argc > 1 ? strtoull(argv[1], NULL, 10) : 27;
    int steps = 0;
    for (; number > 1; steps++) number = number % 2 ? 3 * number + 1 : number / 2;
    printf("%d\n", steps);
    return 0;
}
