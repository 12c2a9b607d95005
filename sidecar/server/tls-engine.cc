// tls-engine.node: the server's end of TLS without a socket. Ciphertext goes in and comes out as octets; what carries it
// stays Node's own. Node's TLSSocket makes one TLS record a turn of the event loop, where a DHCPv4 message needs one of its own
// (RFC 7724 section 5.1): here a call makes as many as there are messages.
//
// It runs on the OpenSSL that Node carries, whose symbols are Node's: nothing is linked. tls-engine.ts declares and documents
// what JavaScript sees.
#include <napi.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace tls_engine {
namespace {

// Owns what OpenSSL hands out; Free is its function for giving it back.
template <auto Free> struct Freed {
    template <typename T> void operator()(T* one) const { Free(one); }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Revocations = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Settings = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

using Octets = std::vector<std::uint8_t>;

// ---------------------------------------------------------------- what OpenSSL says

std::string textOf(const char* text) { return text == nullptr ? "no reason given" : text; }

// The first of the errors that were raised: later ones tell of what it led to.
std::string openSslReason() { return textOf(ERR_reason_error_string(ERR_peek_error())); }

[[noreturn]] void fail(Napi::Env env, const std::string& what) {
    const std::string reason = openSslReason();
    ERR_clear_error();
    throw Napi::Error::New(env, what + ": " + reason);
}

void mustSucceed(Napi::Env env, bool succeeded, const char* what) {
    if (!succeeded) fail(env, what);
}

// Why a certificate was refused, in the words that Node's own TLS has for it.
std::string refusalOf(long verified) {
    switch (verified) {
#define NAMED(name)                                                                                              \
    case X509_V_ERR_##name: return #name
        NAMED(UNABLE_TO_GET_ISSUER_CERT);
        NAMED(UNABLE_TO_GET_CRL);
        NAMED(UNABLE_TO_DECRYPT_CERT_SIGNATURE);
        NAMED(UNABLE_TO_DECRYPT_CRL_SIGNATURE);
        NAMED(UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY);
        NAMED(CERT_SIGNATURE_FAILURE);
        NAMED(CRL_SIGNATURE_FAILURE);
        NAMED(CERT_NOT_YET_VALID);
        NAMED(CERT_HAS_EXPIRED);
        NAMED(CRL_NOT_YET_VALID);
        NAMED(CRL_HAS_EXPIRED);
        NAMED(DEPTH_ZERO_SELF_SIGNED_CERT);
        NAMED(SELF_SIGNED_CERT_IN_CHAIN);
        NAMED(UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        NAMED(UNABLE_TO_VERIFY_LEAF_SIGNATURE);
        NAMED(CERT_CHAIN_TOO_LONG);
        NAMED(CERT_REVOKED);
        NAMED(INVALID_CA);
        NAMED(PATH_LENGTH_EXCEEDED);
        NAMED(INVALID_PURPOSE);
        NAMED(CERT_UNTRUSTED);
        NAMED(CERT_REJECTED);
#undef NAMED
        default: return textOf(X509_verify_cert_error_string(verified));
    }
}

// ---------------------------------------------------------------- octets in, octets out

// Both ends of a session's transport, for the length of one call: it reads what was fed, and writes to a list of octets.
// A read beyond what was fed has to be tried again with the next call.
struct Transport {
    const std::uint8_t* fed = nullptr;
    std::size_t left = 0;
    Octets* written = nullptr;

    static int read(BIO* bio, char* into, int most) {
        auto* transport = static_cast<Transport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (transport->left == 0) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t count = std::min(transport->left, static_cast<std::size_t>(most));
        std::copy_n(transport->fed, count, reinterpret_cast<std::uint8_t*>(into));
        transport->fed += count;
        transport->left -= count;
        return static_cast<int>(count);
    }

    static int write(BIO* bio, const char* octets, int count) {
        auto* transport = static_cast<Transport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        // Nothing may be thrown through OpenSSL.
        try {
            const auto* first = reinterpret_cast<const std::uint8_t*>(octets);
            transport->written->insert(transport->written->end(), first, first + count);
            return count;
        } catch (const std::bad_alloc&) {
            return -1;
        }
    }

    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

    static int create(BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
    }

    // OpenSSL takes it for the life of the process.
    static const BIO_METHOD* method() {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "octets of one call");
            if (method == nullptr) throw std::bad_alloc();
            BIO_meth_set_read(method, read);
            BIO_meth_set_write(method, write);
            BIO_meth_set_ctrl(method, control);
            BIO_meth_set_create(method, create);
            return method;
        }();
        return made;
    }
};

// ---------------------------------------------------------------- one connection

class Engine final : public Napi::ObjectWrap<Engine> {
public:
    static Napi::Function define(Napi::Env env) {
        return DefineClass(env, "Engine",
                           {
                               InstanceMethod<&Engine::feed>("feed"),
                               InstanceMethod<&Engine::write>("write"),
                               InstanceMethod<&Engine::close>("close"),
                               InstanceMethod<&Engine::certificates>("certificates"),
                               InstanceMethod<&Engine::release>("release"),
                           });
    }

    // Of a Context only, see Context::accept.
    explicit Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info) {
        if (info.Length() != 2 || !info[0].IsExternal()) {
            throw Napi::TypeError::New(info.Env(), "an engine is made by accept()");
        }
        recordsPerKey_ = info[1].As<Napi::Number>().Int64Value();
        session_.reset(SSL_new(info[0].As<Napi::External<SSL_CTX>>().Data()));
        mustSucceed(info.Env(), session_ != nullptr, "SSL_new");
        BIO* bio = BIO_new(Transport::method());
        mustSucceed(info.Env(), bio != nullptr, "BIO_new");
        BIO_set_data(bio, &transport_);
        SSL_set_bio(session_.get(), bio, bio);
        SSL_set_accept_state(session_.get());
    }

private:
    enum class State { handshake, up, ended, failed };

    Napi::Value feed(const Napi::CallbackInfo& info) {
        const Napi::Uint8Array octets = octetsOf(info, 0);
        Octets toSend, received;
        std::string reason, refusal;
        if (state_ != State::failed) {
            begin({octets.Data(), octets.ByteLength(), &toSend});
            const int outcome = state_ == State::handshake ? shakeHands() : SSL_ERROR_NONE;
            judge(outcome == SSL_ERROR_NONE ? readOn(received) : outcome, reason, refusal);
            transport_ = {};
        }
        Napi::Object fed = Napi::Object::New(info.Env());
        fed["state"] = nameOf(state_);
        if (!toSend.empty()) fed["toSend"] = bufferOf(info.Env(), toSend);
        if (!received.empty()) fed["received"] = bufferOf(info.Env(), received);
        if (!reason.empty()) fed["reason"] = reason;
        if (!refusal.empty()) fed["refusal"] = refusal;
        return fed;
    }

    // Each message with its size before it (RFC 6926 section 6.1) becomes one TLS record (RFC 7724 section 5.1).
    Napi::Value write(const Napi::CallbackInfo& info) {
        const Napi::Env env = info.Env();
        const Napi::Uint8Array frames = octetsOf(info, 0);
        Napi::Uint8Array into = octetsOf(info, 1);
        if (state_ != State::up && state_ != State::ended) throw Napi::Error::New(env, "TLS is not up");
        // Until all is done: records that were made and never sent would be missed by the other end.
        const State before = std::exchange(state_, State::failed);
        const std::uint8_t* const octets = frames.Data();
        const std::size_t length = frames.ByteLength();
        Octets toSend;
        toSend.reserve(into.ByteLength());
        begin({nullptr, 0, &toSend});
        // Else OpenSSL would make a buffer for each record.
        SSL_clear_mode(session_.get(), SSL_MODE_RELEASE_BUFFERS);
        for (std::size_t at = 0; at < length;) {
            const std::size_t size = length - at < 2 ? 2 : 2 + (octets[at] << 8 | octets[at + 1]);
            if (size > length - at) throw Napi::RangeError::New(env, "the last message is cut off");
            if (size == length - at) SSL_set_mode(session_.get(), SSL_MODE_RELEASE_BUFFERS);
            mustSucceed(env, writeRecord(octets + at, size), "no record can be made");
            at += size;
        }
        transport_ = {};
        if (toSend.size() > into.ByteLength()) throw Napi::RangeError::New(env, "there is no room for the records");
        std::copy(toSend.begin(), toSend.end(), into.Data());
        state_ = before;
        return Napi::Number::New(env, static_cast<double>(toSend.size()));
    }

    // close_notify (RFC 8446 section 6.1); what the other end still sends can be fed.
    Napi::Value close(const Napi::CallbackInfo& info) {
        Octets toSend;
        if (session_ != nullptr && (state_ == State::up || state_ == State::ended)) {
            begin({nullptr, 0, &toSend});
            SSL_shutdown(session_.get());
            ERR_clear_error();
            transport_ = {};
        }
        return bufferOf(info.Env(), toSend);
    }

    // DER: that of the other end first, then those it brought along.
    Napi::Value certificates(const Napi::CallbackInfo& info) {
        Napi::Array list = Napi::Array::New(info.Env());
        if (session_ == nullptr) return list;
        const auto add = [&](X509* certificate) {
            std::uint8_t* der = nullptr;
            const int size = i2d_X509(certificate, &der);
            mustSucceed(info.Env(), size > 0, "i2d_X509");
            list[list.Length()] = Napi::Buffer<std::uint8_t>::Copy(info.Env(), der, static_cast<std::size_t>(size));
            OPENSSL_free(der);
        };
        X509* const own = SSL_get0_peer_certificate(session_.get());
        if (own == nullptr) return list;
        add(own);
        STACK_OF(X509)* const brought = SSL_get_peer_cert_chain(session_.get());
        for (int i = 0; i < sk_X509_num(brought); ++i) add(sk_X509_value(brought, i));
        return list;
    }

    // Gives its memory back now, not when JavaScript forgets it; only feed and close may follow, and do nothing.
    void release(const Napi::CallbackInfo&) {
        state_ = State::failed;
        session_.reset();
    }

    void begin(Transport transport) {
        transport_ = transport;
        // OpenSSL judges its calls by a queue of errors that all of Node shares.
        ERR_clear_error();
    }

    // @returns what SSL_get_error says
    int shakeHands() {
        const int done = SSL_do_handshake(session_.get());
        if (done != 1) return SSL_get_error(session_.get(), done);
        state_ = State::up;
        return SSL_ERROR_NONE;
    }

    // Reads all that was fed. @returns what SSL_get_error says of the read that gave no more
    int readOn(Octets& received) {
        std::uint8_t record[SSL3_RT_MAX_PLAIN_LENGTH];
        for (;;) {
            const int count = SSL_read(session_.get(), record, sizeof record);
            if (count <= 0) return SSL_get_error(session_.get(), count);
            received.insert(received.end(), record, record + count);
        }
    }

    void judge(int outcome, std::string& reason, std::string& refusal) {
        if (outcome == SSL_ERROR_WANT_READ) return;
        if (outcome == SSL_ERROR_ZERO_RETURN) {
            state_ = State::ended;
            return;
        }
        state_ = State::failed;
        reason = openSslReason();
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
            refusal = refusalOf(SSL_get_verify_result(session_.get()));
        }
        ERR_clear_error();
    }

    bool writeRecord(const std::uint8_t* message, std::size_t size) {
        // RFC 8446 section 5.5: a key is good for so many records, and an active query may last for months.
        if (recordsOfKey_++ == recordsPerKey_ && SSL_version(session_.get()) == TLS1_3_VERSION) {
            if (SSL_key_update(session_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return false;
            recordsOfKey_ = 1;
        }
        return SSL_write(session_.get(), message, static_cast<int>(size)) > 0;
    }

    static Napi::Uint8Array octetsOf(const Napi::CallbackInfo& info, std::size_t at) {
        if (info[at].IsTypedArray() && info[at].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
            return info[at].As<Napi::Uint8Array>();
        }
        throw Napi::TypeError::New(info.Env(), "octets are wanted");
    }

    static Napi::Value bufferOf(Napi::Env env, const Octets& octets) {
        return Napi::Buffer<std::uint8_t>::Copy(env, octets.data(), octets.size());
    }

    static const char* nameOf(State state) {
        switch (state) {
            case State::handshake: return "handshake";
            case State::up: return "up";
            case State::ended: return "ended";
            case State::failed: break;
        }
        return "failed";
    }

    Transport transport_;
    // After what it reads from and writes to.
    Session session_;
    State state_ = State::handshake;
    std::int64_t recordsPerKey_ = 0;
    std::int64_t recordsOfKey_ = 0;
};

// ---------------------------------------------------------------- what all connections of a service share

class Context final : public Napi::ObjectWrap<Context> {
public:
    static Napi::Function define(Napi::Env env) {
        return DefineClass(env, "Context", {InstanceMethod<&Context::accept>("accept")});
    }

    // Requestors have to show a certificate that one of the authorities vouches for (RFC 7724 section 8.1): the handshake is
    // broken off otherwise. Sessions are never resumed, so that each connection shows its certificate.
    explicit Context(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Context>(info) {
        const Napi::Env env = info.Env();
        if (info.Length() != 1 || !info[0].IsObject()) throw Napi::TypeError::New(env, "settings are needed");
        const Napi::Object given = info[0].As<Napi::Object>();
        ERR_clear_error();
        settings_.reset(SSL_CTX_new(TLS_server_method()));
        mustSucceed(env, settings_ != nullptr, "SSL_CTX_new");
        SSL_CTX* const settings = settings_.get();
        SSL_CTX_set_options(settings, static_cast<std::uint64_t>(number(given, "options")));
        SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(settings, 0);
        SSL_CTX_set_verify(settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        mustSucceed(env,
                    SSL_CTX_set_min_proto_version(settings, static_cast<int>(number(given, "minVersion"))) == 1 &&
                        SSL_CTX_set_max_proto_version(settings, static_cast<int>(number(given, "maxVersion"))) == 1,
                    "TLS versions");
        mustSucceed(env,
                    SSL_CTX_set_ciphersuites(settings, text(given, "cipherSuites").c_str()) == 1 &&
                        SSL_CTX_set_cipher_list(settings, text(given, "ciphers").c_str()) == 1,
                    "ciphers");
        recordsPerKey_ = number(given, "recordsPerKey");
        trust(env, given);
        identify(env, given);
    }

private:
    Napi::Value accept(const Napi::CallbackInfo& info) {
        const Napi::Env env = info.Env();
        return env.GetInstanceData<Napi::FunctionReference>()->New(
            {Napi::External<SSL_CTX>::New(env, settings_.get()), Napi::Number::New(env, recordsPerKey_)});
    }

    // The authorities, and their revocation lists.
    void trust(Napi::Env env, const Napi::Object& given) {
        SSL_CTX* const settings = settings_.get();
        X509_STORE* const store = SSL_CTX_get_cert_store(settings);
        for (const std::string& pem : texts(given, "ca")) {
            const Certificate one(PEM_read_bio_X509(opened(env, pem).get(), nullptr, noPassword, nullptr));
            mustSucceed(env,
                        one != nullptr && X509_STORE_add_cert(store, one.get()) == 1 &&
                            SSL_CTX_add_client_CA(settings, one.get()) == 1,
                        "authority");
        }
        const std::vector<std::string> lists = texts(given, "crl");
        for (const std::string& pem : lists) {
            const Revocations one(PEM_read_bio_X509_CRL(opened(env, pem).get(), nullptr, noPassword, nullptr));
            mustSucceed(env, one != nullptr && X509_STORE_add_crl(store, one.get()) == 1, "revocation list");
        }
        if (!lists.empty()) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }

    // The certificate of this server, those that lead to its authority, and its key.
    void identify(Napi::Env env, const Napi::Object& given) {
        SSL_CTX* const settings = settings_.get();
        const std::string chain = text(given, "cert");
        const Bio certificates = opened(env, chain);
        const Certificate own(PEM_read_bio_X509(certificates.get(), nullptr, noPassword, nullptr));
        mustSucceed(env, own != nullptr && SSL_CTX_use_certificate(settings, own.get()) == 1, "certificate");
        while (const Certificate one{PEM_read_bio_X509(certificates.get(), nullptr, noPassword, nullptr)}) {
            mustSucceed(env, SSL_CTX_add1_chain_cert(settings, one.get()) == 1, "certificate of an authority");
        }
        ERR_clear_error();
        const std::string pem = text(given, "key");
        const Key key(PEM_read_bio_PrivateKey(opened(env, pem).get(), nullptr, noPassword, nullptr));
        mustSucceed(env, key != nullptr && SSL_CTX_use_PrivateKey(settings, key.get()) == 1, "key");
        mustSucceed(env, SSL_CTX_check_private_key(settings) == 1, "key");
    }

    static Bio opened(Napi::Env env, const std::string& pem) {
        Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        mustSucceed(env, bio != nullptr, "BIO_new_mem_buf");
        return bio;
    }

    // Without one OpenSSL would ask on the terminal.
    static int noPassword(char*, int, int, void*) { return 0; }

    static double number(const Napi::Object& given, const char* name) {
        return given.Get(name).As<Napi::Number>().DoubleValue();
    }
    static std::string text(const Napi::Object& given, const char* name) {
        return given.Get(name).As<Napi::String>().Utf8Value();
    }
    static std::vector<std::string> texts(const Napi::Object& given, const char* name) {
        const Napi::Array list = given.Get(name).As<Napi::Array>();
        std::vector<std::string> all;
        for (std::uint32_t i = 0; i < list.Length(); ++i) {
            all.push_back(list.Get(i).As<Napi::String>().Utf8Value());
        }
        return all;
    }

    Settings settings_;
    double recordsPerKey_ = 0;
};

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
    // Only a Context makes engines; each copy of the addon has its own.
    env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(Engine::define(env))));
    exports["Context"] = Context::define(env);
    exports["builtFor"] = OPENSSL_VERSION_TEXT;
    exports["running"] = OpenSSL_version(OPENSSL_VERSION);
    return exports;
}

}  // namespace
}  // namespace tls_engine

Napi::Object initializeTlsEngine(Napi::Env env, Napi::Object exports) { return tls_engine::initialize(env, exports); }
NODE_API_MODULE(tls_engine, initializeTlsEngine)
