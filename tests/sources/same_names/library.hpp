// The code of a library, with its own NUMBER.
#include "names.hpp"

struct Kept {
    int number = NUMBER;
    __attribute__((noinline)) ~Kept() { std::printf("destroyed %d\n", NUMBER); }
};
inline __attribute__((noinline)) int inlined() { return NUMBER; }

extern "C" int number() { return NUMBER; }
extern "C" int ask_number() { return number(); }
extern "C" int keep() {
    static Kept kept;
    return kept.number;
}
extern "C" int (*address())() { return inlined; }
