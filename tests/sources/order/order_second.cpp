// The second unit of order.cpp.
#include "tracer.hpp"

static Tracer second_static("second");
thread_local Tracer second_thread("thread");

void second() { second_thread.touch(); }
