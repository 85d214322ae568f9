// A label whose address is kept from one call to the next, of a function whose body is small enough to be inlined where it is
// called next: there is one address.
//# prints: by address 1 2
//# prints: by name 1 2
//# lazy: kept_label by_name
#include <stdio.h>

static void *kept;

int kept_label(int i) {
    if (i == 0) {
        kept = &&later;
        return 1;
    }
    goto *kept;
later:
    return kept == &&later ? 2 : 3;
}

__attribute__((noinline)) void by_name(void) {
    int first = kept_label(0);
    printf("by name %d %d\n", first, kept_label(1));
}

int (*volatile by_address)(int) = kept_label;
void (*volatile later)(void) = by_name;

int main(void) {
    // Neither is called by name, so each is compiled alone: the second when the first has code.
    int first = by_address(0);
    printf("by address %d %d\n", first, by_address(1));
    later();
    return 0;
}
