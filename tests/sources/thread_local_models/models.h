// What the other files have for thread_local_models.c.
#pragma once
int second_common(int);
int from_constants(int), distance(void), from_aggregate(void); // in constants.ll
int library_bump(int *, int *, int *);
