// A medium C++ program, for every combination of flags: classes, templates, containers, exceptions, lambdas.
//# levels: every
//# prints: apple 3 x 1.50 = 4.50
//# prints: total 34.50
//# prints: error: no 'plum' in stock
//# prints: sorted: apple melon pear
//# prints: destroyed 3
//# lazy: main
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int destroyed = 0;

struct Item {
    virtual ~Item() { destroyed++; }
    virtual double price() const = 0;
};

struct Fixed : Item {
    double amount;
    explicit Fixed(double amount) : amount(amount) {}
    double price() const override { return amount; }
};

struct Discounted : Fixed {
    using Fixed::Fixed;
    double price() const override { return Fixed::price() / 2; }
};

template <typename Key> class Stock {
    std::map<Key, std::pair<std::unique_ptr<Item>, int>> items;

public:
    template <typename Kind> void add(const Key &key, int count, double price) {
        items[key] = {std::make_unique<Kind>(price), count};
    }

    double value(const Key &key) const {
        auto found = items.find(key);
        if (found == items.end()) throw std::out_of_range("no '" + key + "' in stock");
        return found->second.first->price() * found->second.second;
    }

    void each(const std::function<void(const Key &, const Item &, int)> &visit) const {
        for (auto &[key, entry] : items) visit(key, *entry.first, entry.second);
    }
};

} // namespace

int main() {
    {
        Stock<std::string> stock;
        stock.add<Fixed>("pear", 10, 2.0);
        stock.add<Discounted>("apple", 3, 3.0);
        stock.add<Fixed>("melon", 1, 10.0);
        double total = 0;
        std::vector<std::string> names;
        stock.each([&](const std::string &name, const Item &item, int count) {
            std::printf("%s %d x %.2f = %.2f\n", name.c_str(), count, item.price(), item.price() * count);
            total += stock.value(name);
            names.insert(names.begin(), name);
        });
        std::printf("total %.2f\n", total);
        try {
            stock.value("plum");
        } catch (const std::exception &error) {
            std::printf("error: %s\n", error.what());
        }
        std::sort(names.begin(), names.end());
        auto joined = std::accumulate(names.begin(), names.end(), std::string("sorted:"),
                                      [](std::string all, const std::string &one) { return all + " " + one; });
        std::puts(joined.c_str());
    }
    std::printf("destroyed %d\n", destroyed);
}
