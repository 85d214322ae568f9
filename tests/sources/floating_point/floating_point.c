// Floating point: constants, the rounding mode and the x87 state of the caller live through a first call.
//# link: -lm
//# flags: -frounding-math
//# prints: constants 0.1 1e+100 inf -0.0
//# prints: up 0.3333333333333333703 down 0.3333333333333333148
//# prints: x87 3.1415926535897932385
//# prints: sine 0.8414709848 float 0.100000001
//# prints: converted 13835058055282163712 -5 3000000000
//# prints: flags 1
//# refuses: strict floating point
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

double divide_up(double a, double b) { return a / b; }
double divide_down(double a, double b) { return a / b; }
long double pi(long double precision) { return 3.1415926535897932385L * precision; }
double constant(int which) {
    static const double table[] = {0.1, 1e100, INFINITY};
    return which < 3 ? table[which] : -0.0;
}
unsigned long to_unsigned(double x) { return (unsigned long)x; }
int to_int(double x) { return (int)x; }
unsigned to_unsigned_int(float x) { return (unsigned)x; }

int main(void) {
    printf("constants %g %g %g %.1f\n", constant(0), constant(1), constant(2), constant(3));
    fesetround(FE_UPWARD);
    double up = divide_up(1, 3);
    fesetround(FE_DOWNWARD);
    double down = divide_down(1, 3);
    fesetround(FE_TONEAREST);
    printf("up %.19f down %.19f\n", up, down);
    printf("x87 %.19Lf\n", pi(1.0L));
    printf("sine %.10f float %.9f\n", sin(1.0), (double)0.1f);
    printf("converted %lu %d %u\n", to_unsigned(13835058055282163712.0), to_int(-5.9), to_unsigned_int(3e9f));
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, result = divide_up(1, zero);
    printf("flags %d\n", fetestexcept(FE_DIVBYZERO) != 0 && result > 0);
    return 0;
}
