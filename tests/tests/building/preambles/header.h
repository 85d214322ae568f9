#pragma once
#define FIRST_COUNT __COUNTER__
static const int counted = FIRST_COUNT, counted_again = __COUNTER__;
static const char *const in_header = __FILE__;
static const int level_of_header = __INCLUDE_LEVEL__;
#define WHERE __FILE__
#define LEVEL __INCLUDE_LEVEL__
#define VALUE 0x2aLL
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC poison poisoned
#define PRAGMA _Pragma("GCC diagnostic warning \"-Wunused-variable\"")
inline int tool(int x) { static int calls; return ++calls + x; }
template <class T> T late(T value) { return value.missing; }
struct Base { virtual ~Base(); virtual int run() { return VALUE; } };
inline auto lambda = [](int x) { return x * __COUNTER__; };
namespace { struct Local { int a; Local() : a(VALUE) {} } local_instance; }
