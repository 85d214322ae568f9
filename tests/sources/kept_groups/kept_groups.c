// Groups of sections that linkers do not deduplicate (comdat nodeduplicate), with local functions and variables.
//# sources: kept_first.ll kept_second.ll
//# flags: -Wno-override-module
//# linkers: lld bfd
//# prints: 6 8 7 9
//# lazy: use1 use2
//# stats: compiled >= 3
#include <stdio.h>

int use1(int), use2(int);
extern int (*p1)(int), (*p2)(int);

int main(void) {
    printf("%d %d %d %d\n", use1(1), use2(1), p1(2), p2(2));
    return 0;
}
