// The plain unit of wide_places.c.
void passed(int a, int b, int c, int d, int e, int f, __int128 g, int h, __int128 i, int j);
void pass(int one) { passed(one, 2, 3, 4, 5, 6, 7, 8, 9, 12); }
