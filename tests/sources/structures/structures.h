// The structures of structures.c and the functions that take and return them.
#pragma once
struct integers { int a; long b; int c; };
struct floats { float a, b, c, d; };
struct mixed { long a; double b; };
struct memory { long a[4]; };
struct wide { long double a; };
union both { long whole; double real; };
struct __attribute__((packed)) packed { char a; long b; short c; };
struct aligned { _Alignas(64) int a; };
struct odd { char text[3]; };
struct large { int a[1000]; };
struct two { long a, b; };
struct nested { struct { int a, b; } inner; float real[1]; };
struct vector { int a __attribute__((vector_size(16))); };
struct empty {};

struct integers integers(struct integers);
struct floats floats(struct floats);
struct mixed mixed(struct mixed);
struct memory memory(struct memory);
struct wide wide(struct wide);
union both both(union both, int real);
struct packed packed(struct packed);
struct aligned aligned(struct aligned);
struct odd odd(struct odd);
struct large large(struct large);
void exhausted(int, int, int, int, int, struct two in_memory, int, struct two);
struct nested nested(struct nested);
struct vector vector(struct vector);
int empty(struct empty, int);
int through_pointers(void);
