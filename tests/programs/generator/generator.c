#include <stdio.h>

int square(int x);

int main(void) {
    printf("#define SQUARES");
    for (int i = 1; i < 5; i++)
        printf("%c %d", i > 1 ? ',' : ' ', square(i));
    puts("");
    return 0;
}
