#define NUMBER 3
#include "library.hpp"
