#include <cstdio>

extern "C" int number();
