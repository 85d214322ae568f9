#ifndef NEAR_H
#define NEAR_H
#define NEAR 3
#if __has_include("optional.h")
#include "optional.h"
#endif
#endif
