/* C as it was: definitions with declarations after the parameter list, calls without prototypes, promoted arguments,
   implicit int, implicit functions, extern inline as GNU C had it, functions declared in blocks. */
//# sources: old_second.c
//# mix
//# flags: -std=gnu89 -w
//# linkers: mold
//# prints: sum 10
//# prints: promoted 65 1.5 -1
//# prints: implicit 12
//# prints: without prototype 3.5 7
//# prints: pointer 6
//# prints: structure 3 4
//# prints: inline 21
//# prints: block 9
//# prints: many 36
//# lazy: main sum promoted implicit many
#include <stdio.h>

struct point { int x, y; };

sum(a, b, c, d)
    int a, b;
    long c, d;
{
    return a + b + c + d;
}

int promoted(c, f, s)
    char c;
    float f;
    short s;
{
    return printf("promoted %d %.1f %d\n", c, f, s);
}

int apply(f, x)
    int (*f)();
    int x;
{
    return f(x);
}

static twice(x) { return 2 * x; }

struct point moved(p, by)
    struct point p;
    int by;
{
    p.x += by;
    p.y += by;
    return p;
}

extern inline int only_inline(x) int x; { return x + 1; }

many(a, b, c, d, e, f, g, h) { return a + b + c + d + e + f + g + h; }

main(argc, argv)
    int argc;
    char **argv;
{
    double halves();
    int (*pointer)() = twice;
    struct point p = {1, 2};
    printf("sum %d\n", sum(1, 2, 3L, 4L));
    promoted('A', 1.5, -1);
    printf("implicit %d\n", implicit(5, 7));
    printf("without prototype %.1f %d\n", halves(7.0f, 0), (int)halves(14.0, 1));
    printf("pointer %d\n", apply(pointer, 3));
    p = moved(p, 2);
    printf("structure %d %d\n", p.x, p.y);
    printf("inline %d\n", only_inline(20));
    {
        extern int in_block();
        printf("block %d\n", in_block(4, 5));
    }
    printf("many %d\n", many(1, 2, 3, 4, 5, 6, 7, 8));
    return argc - 1;
}
