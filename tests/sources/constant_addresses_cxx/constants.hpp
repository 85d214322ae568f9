// What the units of constant_addresses_cxx.cpp share.
struct Constants {
    static constexpr int member = 5;
};
inline constexpr int shared_number = 6;
inline const char *name_of_inline() { return __PRETTY_FUNCTION__; }

const int *second_member();
const int *second_number();
const char *second_name();
