// The key pair of a feed over tcp://, from a file in the format of ZeroMQ certificates (CZMQ, zcert):
//
//     curve
//         public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
//         secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
//         client-key = "…"        one for each follower that may connect; at least one
#pragma once

#include <string>
#include <vector>

namespace lease_feed {

struct CurveKeys {
    std::string public_key;  ///< Z85, 40 characters
    std::string secret_key;
    std::vector<std::string> client_keys;
};

/// @throws FeedError naming the file and what is wrong with it, never quoting a key
CurveKeys readCurveKeys(const std::string& path);

}  // namespace lease_feed
