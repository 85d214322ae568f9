// Shared by the units of priorities.c.
#pragma once
int next_number(void);
void say(const char *what);
