// Shared libraries with lazy code that the program opens, closes and opens again; one calls back into the program.
//# plugin: first_plugin.c second_plugin.c
//# link: -rdynamic -ldl
//# prints: first 11
//# prints: second calls back 42
//# prints: closed and opened 3 times: 33
//# prints: missing: 1
#include <dlfcn.h>
#include <stdio.h>

int callback(int x) { return x * 2; }

static int call(const char *path, int argument, int close) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), -1;
    int (*entry)(int) = (int (*)(int))dlsym(library, "entry");
    int result = entry(argument);
    if (close) dlclose(library);
    return result;
}

int main(void) {
    printf("first %d\n", call("./libfirst_plugin.so", 10, 0));
    printf("second calls back %d\n", call("./libsecond_plugin.so", 20, 1));
    int sum = 0;
    for (int i = 0; i < 3; i++) sum += call("./libsecond_plugin.so", 5 * i, 1) / 2;
    printf("closed and opened 3 times: %d\n", sum + 15);
    printf("missing: %d\n", dlopen("./libmissing_plugin.so", RTLD_NOW) == NULL);
    return 0;
}
