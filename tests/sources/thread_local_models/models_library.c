// The library of thread_local_models.c.
#include "models.h"

__thread int exported = 20;
static __thread int dynamic __attribute__((tls_model("local-dynamic"))) = 21;
static __thread int initial __attribute__((tls_model("initial-exec"))) = 22;
__attribute__((visibility("hidden"))) __thread int hidden_in_library = 23;

int library_bump(int *a, int *b, int *c) {
    *a = ++exported;
    *b = ++dynamic;
    *c = ++initial;
    return ++hidden_in_library;
}
