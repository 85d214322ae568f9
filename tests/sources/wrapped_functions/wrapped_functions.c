// The linker's other names for functions: --wrap, also of those that the code generator calls, --defsym, aliases.
//# sources: behind.c
//# link: -Wl,--wrap=helper,--wrap=memcpy,--defsym=other_name=named
//# linkers: bfd gold lld mold
//# prints: wrapped 102
//# prints: copied 500
//# prints: other name 8 copy same 1
//# dynamic: the plain program does something else
#include <stdio.h>

int helper(int);
int __real_helper(int);
void *__real_memcpy(void *, const void *, unsigned long);
int named(int x) { return x * 2; }
extern int other_name(int);
struct large { char bytes[500]; };
void copy(struct large *to, const struct large *from);

static unsigned long copied;
int __wrap_helper(int x) { return __real_helper(x) + 100; }
void *__wrap_memcpy(void *to, const void *from, unsigned long size) {
    copied += size;
    return __real_memcpy(to, from, size);
}

int main(void) {
    static struct large from = {{1, 2, 3}}, to;
    printf("wrapped %d\n", helper(1));
    copy(&to, &from);
    printf("copied %lu\n", copied);
    printf("other name %d copy same %d\n", other_name(4), to.bytes[2] == 3);
    return 0;
}
