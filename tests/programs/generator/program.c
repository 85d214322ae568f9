#include <stdio.h>
#include "squares.h"

int sum(const int *numbers, int count);

static const int squares[] = {SQUARES};

int main(void) {
    printf("squares %d\n", sum(squares, sizeof squares / sizeof *squares));
    return 0;
}
