// Variadic functions of another file and of a library; va_list handed on by value and by pointer; more arguments than
// registers.
//# sources: variadic.c
//# library: variadic_library.c
//# mix
//# linkers: mold
//# prints: other file 1 2.5 three (4,5)
//# prints: handed on 6 7 8.5
//# prints: by pointer 9 10 11
//# prints: library 45.0 then 10
//# prints: table 36
//# prints: overflow 210 210.0
//# lazy: main total
//# stats: compiled >= 8
#include <stdarg.h>
#include <stdio.h>

struct pair { int a, b; };

int print_all(const char *format, ...);
int vprint_all(const char *format, va_list list);
int next_of(va_list *list);
double library_sum(int *rest, ...);

static int hand_on(const char *format, ...) {
    va_list list, copy;
    va_start(list, format);
    va_copy(copy, list);
    int first = va_arg(list, int);
    vprint_all(format, copy);
    va_end(copy);
    va_end(list);
    return first;
}

void by_pointer(int first, ...) {
    va_list list;
    va_start(list, first);
    int second = next_of(&list), third = next_of(&list);
    printf("by pointer %d %d %d\n", first, second, third);
    va_end(list);
}

int total(int count, ...) {
    va_list list;
    va_start(list, count);
    int sum = 0;
    while (count--) sum += va_arg(list, int);
    va_end(list);
    return sum;
}

// More arguments than registers of either class, alternately.
double alternating(int count, ...) {
    va_list list;
    va_start(list, count);
    double sum = 0;
    int whole = 0;
    for (int i = 0; i < count; i++) {
        if (i % 2) sum += va_arg(list, double);
        else whole += va_arg(list, int);
    }
    va_end(list);
    return whole == 100 ? sum + whole : -1;
}

static int (*const table[])(int, ...) = {total};

int main(void) {
    print_all("id(p)", 1, 2.5, "three", (struct pair){4, 5});
    if (hand_on("handed", 6, 7, 8.5) != 6) return 1;
    by_pointer(9, 10, 11);
    int rest = 0;
    double sum = library_sum(&rest, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10);
    printf("library %.1f then %d\n", sum, rest);
    printf("table %d\n", table[0](8, 1, 2, 3, 4, 5, 6, 7, 8));
    printf("overflow %d %.1f\n", total(20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20),
           alternating(20, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, 10.0, 11, 12.0, 13, 14.0, 15, 16.0, 17, 18.0, 19, 20.0));
    return 0;
}
