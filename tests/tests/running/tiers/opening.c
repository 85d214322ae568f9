#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    long sum = 0;
    for (int round = 0; round < 30; round++) {
        void *library = dlopen(argv[1], RTLD_NOW);
        if (!library) return 1;
        int (*next)(int) = (int (*)(int))dlsym(library, "next");
        for (int i = 0; i < 500; i++) sum = (sum * 7 + next(i)) % 1000003;
        dlclose(library);
    }
    printf("%ld\n", sum);
    return 0;
}
