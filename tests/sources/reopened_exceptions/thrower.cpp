extern "C" void raise_number(int);
struct Guard {
    int &count;
    ~Guard() { count++; }
};
extern "C" void entry(int number) {
    int count = 0;
    Guard guard{count};
    raise_number(number);
}
