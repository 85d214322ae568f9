// Templates that templates_and_instantiations.cpp and its units instantiate, or leave to each other.
#pragma once
#include <cstdio>
#include <string>

template <typename T> struct Stack {
    static int made;
    T items[4];
    int count = 0;
    Stack() { made++; }
    void push(const T &item);
    T pop() { return items[--count]; }
    static Stack &shared() {
        static Stack stack;
        return stack;
    }
};
template <typename T> int Stack<T>::made = 0;
template <typename T> void Stack<T>::push(const T &item) { items[count++] = item; }

extern template struct Stack<int>;           // in the second unit
extern template struct Stack<std::string>;   // in the library
template <typename T> T doubled(T x) { return x + x; }
template <> int doubled(int x);              // specialised in the second unit
template <typename T> concept Number = requires(T x) { x * x; };
template <Number T> const char *kind(T) { return "number"; }
template <typename T> const char *kind(T) { return "other"; }
template <typename... Ts> int sum(Ts... xs) { return (0 + ... + xs); }
template <template <typename> typename C, typename T> int through(C<T> &container, T item) {
    container.push(item);
    return container.count;
}
int use_in_unit();
int use_in_library();
