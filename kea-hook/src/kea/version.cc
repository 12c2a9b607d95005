// What Kea asks a library before it loads it.
#include "kea.h"

#include <hooks/hooks.h>

extern "C" {

/// Kea compares this with its own version, patch level included: one build for each release of Kea.
int version() {
    return KEA_HOOKS_VERSION;
}

int multi_threading_compatible() {
    return 1;
}

}
