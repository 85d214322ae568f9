// Inline assembly that makes entries in tables: one for each place where it is in the end, in functions that inline it
// as well. The plain program has the same number of them.
//# sources: other.c
//# levels: standard o1 o3_g
//# linkers: lld
//# prints: results 2 4 16 10 6
//# lazy: lazily
//# static: third_directly branches
//# refuses: o0_g: a difference of two addresses
#include "assembly_tables.h"

#include <stdio.h>

extern char __start_keys[], __stop_keys[], __start_probes[], __stop_probes[];
int in_other(int x);

__attribute__((noinline)) int branches(void) { return key() ? 2 : 3; }
__attribute__((noinline)) int plus(void) { return key_plus(1) + key_plus(1); }
__attribute__((noinline)) int third_directly(int x) { return third(x); }
int small(int x) { return first(x) + 2; }
__attribute__((noinline)) int lazily(int x) { return branches() + x; }

int main(int argc, char **argv) {
    (void)argv;
    printf("results %d %d %d %d %d\n", branches(), plus(), small(argc + 2) + third_directly(argc) + 1, in_other(argc * 3 - 1) + 1, lazily(4));
    printf("keys %td probes %td\n", __stop_keys - __start_keys, __stop_probes - __start_probes);
    return 0;
}
