/* Has nearly as many mappings as the kernel allows, and then calls a function of another file for the first time. */
#include <stdio.h>
#include <sys/mman.h>

int called_late(int);

int main(void) {
    const long pages = 400000, page = 4096;
    char *base = mmap(0, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    long count = 0;
    while (count * 2 < pages && mprotect(base + count * 2 * page, page, PROT_READ) == 0) count++;
    printf("%d\n", count > 30000);
    fflush(stdout);
    printf("%d\n", called_late(1));
    return 0;
}
