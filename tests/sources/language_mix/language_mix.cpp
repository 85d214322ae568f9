// C and C++ in one program: a C unit between C++ frames, an exception through it, C linkage both ways.
//# sources: c_part.c
//# mix
//# flags: -fexceptions
//# prints: c says 12
//# prints: caught through C
//# prints: sorted 1 2 3
#include <cstdio>

extern "C" {
int c_part(int (*callback)(int), int value);
void c_sort(int *values, int count);
int from_c(int x) { return x + 2; }
}

static int thrower(int) { throw "through C"; }

int main() {
    std::printf("c says %d\n", c_part(from_c, 4));
    try {
        c_part(thrower, 0);
    } catch (const char *what) {
        std::printf("caught %s\n", what);
    }
    int values[] = {3, 1, 2};
    c_sort(values, 3);
    std::printf("sorted %d %d %d\n", values[0], values[1], values[2]);
}
