#define NUMBER 2
#include "library.hpp"
