/* The second unit of old_style.c. */
implicit(a, b) { return a + b; }

double halves(x, wanted)
    double x;
    int wanted;
{
    return wanted ? (int)x / 2 : x / 2;
}

int in_block(a, b) { return a + b; }

int only_inline(x) { return x + 1; }
