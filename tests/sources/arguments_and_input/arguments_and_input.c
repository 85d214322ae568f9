// The program's own arguments, environment, input and exit status.
//# args: one --two three=3
//# stdin: a line of input
//# env: AUTOJIT_TEST_WORD=word
//# prints: ./program 4 one --two three=3
//# prints: word
//# prints: read 'a line of input'
//# exit: 3
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *line(char *buffer, int size) {
    if (!fgets(buffer, size, stdin)) return NULL;
    buffer[strcspn(buffer, "\n")] = 0;
    return buffer;
}

int main(int argc, char **argv) {
    char buffer[64];
    printf("%s %d %s %s %s\n", argv[0], argc, argv[1], argv[2], argv[3]);
    printf("%s\n", getenv("AUTOJIT_TEST_WORD"));
    printf("read '%s'\n", line(buffer, sizeof buffer));
    fprintf(stderr, "and something on stderr\n");
    return 3;
}
