// Members of an archive are pulled in by what lazy bodies use, and only those.
//# archive: used.c also_used.c unused.c
//# prints: used 3
//# prints: through a member 7
//# prints: unused member absent 1
//# refuses: clang 16: comparisons that are constants there
#include <stdio.h>

int used(int);
__attribute__((weak)) int unused(int);

int main(void) {
    printf("used %d\n", used(1));
    printf("through a member %d\n", used(3));
    printf("unused member absent %d\n", unused == NULL);
    return 0;
}
