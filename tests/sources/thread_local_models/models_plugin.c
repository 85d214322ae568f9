// The library that thread_local_models.c opens.
__thread int plugin_exported = 50;
static __thread int dynamic = 61;
static __thread struct { long padding[1000]; int last; } large = {.last = 70};

int plugin_bump(int *a, int *b) {
    *a = ++plugin_exported;
    *b = ++dynamic;
    return ++large.last;
}
