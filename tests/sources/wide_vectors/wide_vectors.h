// The functions of wide_callees.c.
#pragma once
typedef double v8df __attribute__((vector_size(64)));
struct v { v8df a; int b; };

v8df sum(v8df, v8df);
v8df eight(v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df);
v8df ten(v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df);
v8df variadic(int count, ...);
struct v structure(struct v);
__attribute__((regcall)) v8df sixteen(v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df, v8df,
                                      v8df, v8df, v8df, v8df);
__attribute__((intel_ocl_bicc)) v8df preserving(v8df);
typedef v8df binary(v8df, v8df);
binary *pointer_to_sum(void);

// Without vectors: something of that unit runs on each processor.
int callees(void);
