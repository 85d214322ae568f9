// Mathematics for which the compiler has intrinsics: only generated code calls the library, which the linker keeps only
// if somebody asks for it.
//# flags: -fno-math-errno
//# link: -Wl,--as-needed -lm
//# prints: double 0.841471 2.828427 0.500000 8.000000 1.000000
//# prints: float 7.000000 2.000000 0.750000 3.000000
//# prints: long double 2.000000 5.656854 3.000000
//# prints: vector 0.841471 0.909297
//# prints: exact 1 2
//# lazy: main doubles floats long_doubles vector
//# refuses: a function of the C library on vectors
#include <math.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
typedef double v2df __attribute__((vector_size(16)));

NOINLINE void doubles(double x) {
    printf("double %f %f %f %f %f\n", sin(x), pow(x + 1, 1.5), fmod(x + 1.5, 0.75 * x + 0.25), exp2(x + 2), round(log(x + 1.718)));
}
NOINLINE void floats(float x) {
    printf("float %f %f %f %f\n", __builtin_fmaf(x + 1, x + 2, x), rintf(x * 2.4f), fmodf(x * 2.75f, x), ceilf(x + 1.5f));
}
NOINLINE void long_doubles(long double x) {
    printf("long double %Lf %Lf %Lf\n", floorl(x * 2.5L), powl(x + 1, 2.5L), truncl(x * 3.9L));
}
NOINLINE void vector(v2df x) {
    x = __builtin_elementwise_sin(x);
    printf("vector %f %f\n", x[0], x[1]);
}

int main(int argc, char **argv) {
    (void)argv;
    doubles(argc);
    floats((float)argc);
    long_doubles(argc);
    vector((v2df){argc, argc + 1});
    printf("exact %.0f %.0f\n", floor(1.5), sqrt(4.0));
    return 0;
}
