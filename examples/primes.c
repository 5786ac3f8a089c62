/* Print the primes below a number: a C program, compiled and run by one command.
 *
 * `run_with` is the command that runs the file. Here it is a shell command that compiles the file ("$0") and runs the
 * result with the arguments of the command line ("$@").
 */

// conda execute
// env:
//  - gcc
// run_with:
//  - sh
//  - -c
//  - 'made=$(mktemp -d) && trap "rm -r $made" EXIT && gcc -O2 -o "$made/primes" "$0" && "$made/primes" "$@"'

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int limit = argc > 1 ? atoi(argv[1]) : 30;
    for (int number = 2; number < limit; number++) {
        int divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0) divisor++;
        if (divisor * divisor > number) printf("%d\n", number);
    }
    return 0;
}
