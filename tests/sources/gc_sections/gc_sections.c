// --gc-sections drops functions and data that nobody uses, and keeps what lazy bodies use.
//# sources: sections.c
//# flags: -ffunction-sections -fdata-sections
//# link: -Wl,--gc-sections
//# prints: kept 5 data 6
//# prints: table 7
//# prints: marked 2
//# refuses: a difference of two addresses
#include <stdio.h>

int kept(int);
extern int kept_data;
extern int (*const kept_table[])(int);

struct mark { const char *name; };
#define MARK(n) __attribute__((section("marks"), used, retain)) static const struct mark mark_##n = {#n};
MARK(one)
MARK(two)
extern const struct mark __start_marks[], __stop_marks[];

int main(void) {
    printf("kept %d data %d\n", kept(4), kept_data);
    printf("table %d\n", kept_table[0](6));
    printf("marked %d\n", (int)(__stop_marks - __start_marks));
    return 0;
}
