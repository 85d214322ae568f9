// Functions that are always inlined look at their caller's frame: return addresses, frame addresses, through several
// such functions; others have frames of their own.
//# refuses: return addresses in functions that are always inlined
//# prints: return address 1 1
//# prints: frame address 1
//# prints: own frame 1
//# prints: by address 1
//# lazy: caller outer apart
#include <stdio.h>

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

INLINE void *return_address(void) { return __builtin_return_address(0); }
INLINE void *through(void) { return return_address(); }
INLINE void *frame(void) { return __builtin_frame_address(0); }
NOINLINE void *apart(void) { return __builtin_frame_address(0); }

NOINLINE int caller(void) {
    printf("return address %d %d\n", return_address() == __builtin_return_address(0),
           through() == __builtin_return_address(0));
    printf("frame address %d\n", frame() == __builtin_frame_address(0));
    printf("own frame %d\n", apart() < __builtin_frame_address(0));
    return 0;
}

// One whose address is taken has a body of its own as well.
NOINLINE int outer(void *(*volatile function)(void)) {
    printf("by address %d\n", function() < __builtin_frame_address(0));
    return caller();
}

int main(void) { return outer(frame); }
