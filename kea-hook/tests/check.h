// A test program is a list of named cases. CHECK says where and what; a case goes on after it.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace check {

inline int& failures() {
    static int count = 0;
    return count;
}

inline void that(bool ok, const char* what, const char* file, int line) {
    if (ok) return;
    ++failures();
    std::fprintf(stderr, "  %s:%d: %s\n", file, line, what);
}

using Case = std::pair<const char*, std::function<void()>>;

inline int run(const std::vector<Case>& cases) {
    int failed = 0;
    for (const Case& one : cases) {
        const int before = failures();
        try {
            one.second();
        } catch (const std::exception& error) {
            ++failures();
            std::fprintf(stderr, "  threw: %s\n", error.what());
        }
        const bool ok = failures() == before;
        if (!ok) ++failed;
        std::printf("%s  %s\n", ok ? "ok  " : "FAIL", one.first);
        std::fflush(stdout);
    }
    return failed;
}

/// "0a 00 01" to octets.
inline std::string hex(const std::string& text) {
    std::string octets;
    int high = -1;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) continue;
        if (high < 0) high = digit;
        else {
            octets.push_back(static_cast<char>(high << 4 | digit));
            high = -1;
        }
    }
    return octets;
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
