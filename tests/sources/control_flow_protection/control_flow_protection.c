// -fcf-protection: stubs begin with endbr64, and calls through pointers still work.
//# flags: -fcf-protection=full
//# prints: direct 3 pointer 4 table 5
//# lazy: direct through_pointer
#include <stdio.h>

int direct(int x) { return x + 1; }
int through_pointer(int x) { return x + 2; }
static int in_table(int x) { return x + 3; }
static int (*const table[])(int) = {in_table};

int main(void) {
    int (*volatile pointer)(int) = through_pointer;
    printf("direct %d pointer %d table %d\n", direct(2), pointer(2), table[0](2));
    return 0;
}
