extern int table[2];
extern int limit;
int own(int x);
int other(void);
inline int pick(int index) { return index < 2 ? own(table[index]) : limit; }
