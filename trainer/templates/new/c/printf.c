/* Starts the program, and lets `printf` of newlib print over the debugger. */
#include <stdio.h>

#include "board.h"

int main(void);
int _write(int file, const char *bytes, int length);

int _write(int file, const char *bytes, int length) {
    char text[65];
    int done = 0;
    (void)file;
    while (done < length) {
        int count = 0;
        while ((count < 64) && (done < length)) {
            text[count] = bytes[done];
            ++count;
            ++done;
        }
        text[count] = '\0';
        print(text);
    }
    return length;
}

int run(void) {
    const int status = main();
    (void)fflush(stdout);
    return status;
}
