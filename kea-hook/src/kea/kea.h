// Comes before any other header of Kea.
#pragma once

#include <config.h>

// Kea 3.0's server configuration pulls in its TLS classes, and they OpenSSL's headers. Nothing of that is used here;
// where OpenSSL's headers are not installed, the one name that is needed stands for them.
#if !__has_include(<openssl/conf.h>)
#include <boost/shared_ptr.hpp>
#define CRYPTO_TLS_H
namespace isc {
namespace asiolink {
class TlsContext;
typedef boost::shared_ptr<TlsContext> TlsContextPtr;
}  // namespace asiolink
}  // namespace isc
#endif
