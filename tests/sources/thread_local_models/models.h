// What models.c and models_library.c have for thread_local_models.c.
#pragma once
int second_common(int);
int library_bump(int *, int *, int *);
