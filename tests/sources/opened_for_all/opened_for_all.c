// The scopes of the loader: what a library sees depends on how it and others were opened, and a library that is bound
// when it is called may lack what it never calls.
//# plugin: provider.c needer.c optional.c
//# linkers: lld bfd
//# link: -Wl,-z,lazy
//# prints: alone: missing 1
//# prints: not called: 4
//# prints: provider for itself: again the first 1
//# prints: provider for all: 42
//# prints: called now: 24
//# prints: absent 0 present 1
//# refuses: clang 16: comparisons that are constants there
#include <dlfcn.h>
#include <stdio.h>

static void *open_library(const char *path, int flags) { return dlopen(path, flags); }

static int call(void *library, int argument) {
    int (*entry)(int) = (int (*)(int))dlsym(library, "entry");
    return entry(argument);
}

int main(void) {
    void *now = open_library("./libneeder.so", RTLD_NOW);
    printf("alone: missing %d\n", now == NULL);
    void *lazy = open_library("./libneeder.so", RTLD_LAZY);
    if (!lazy) return puts(dlerror()), 1;
    printf("not called: %d\n", call(lazy, 3));
    void *provider = open_library("./libprovider.so", RTLD_NOW | RTLD_LOCAL);
    void *needer = open_library("./libneeder.so", RTLD_NOW);
    printf("provider for itself: again the first %d\n", needer == lazy);
    dlclose(needer);
    dlclose(provider);
    void *optional = open_library("./liboptional.so", RTLD_NOW);
    int absent = call(optional, 1);
    dlclose(optional);
    dlclose(lazy);
    provider = open_library("./libprovider.so", RTLD_NOW | RTLD_GLOBAL);
    needer = open_library("./libneeder.so", RTLD_NOW);
    printf("provider for all: %d\n", call(needer, 20));
    printf("called now: %d\n", call(needer, 11));
    optional = open_library("./liboptional.so", RTLD_NOW);
    printf("absent %d present %d\n", absent, call(optional, 1));
    return provider == NULL;
}
