#include <math.h>
#include <stdio.h>
#include <string.h>
double power(double x) { return pow(2.0, x); }
int main(int argc, char **argv) {
    char name[99];
    strcpy(name, argv[0] + strlen(argv[0]) - 7);
    printf("line\n");
    printf("%c", '0' + argc);
    fprintf(stdout, "word ");
    printf("%s\n", name);
    return power(argc + 0.5) > 2.8 ? 0 : 1;
}
