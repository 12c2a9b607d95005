// The hook's core in Node: tests and benchmarks drive the very code that runs inside Kea, over a simulated lease
// database. test/support/hook-core.ts declares and documents what JavaScript sees.
#include <napi.h>

#include <atomic>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "clock.h"
#include "convert.h"
#include "feed.h"
#include "job_thread.h"
#include "simulated_leases.h"

namespace lease_feed {
namespace {

constexpr std::size_t kMostLines = 1000;

// Keeps the newest log lines until JavaScript takes them.
class KeptLog final : public FeedLog {
public:
    struct Line {
        Level level;
        std::string id;
        std::string text;
    };
    void write(Level level, const char* id, const std::string& text) override {
        const std::lock_guard<std::mutex> hold(mutex_);
        if (lines_.size() == kMostLines) lines_.pop_front();
        lines_.push_back({level, id, text});
    }
    std::deque<Line> take() {
        const std::lock_guard<std::mutex> hold(mutex_);
        std::deque<Line> taken;
        taken.swap(lines_);
        return taken;
    }

private:
    std::mutex mutex_;
    std::deque<Line> lines_;
};

// A churn on its way: its thread, and how it tells JavaScript that it is done.
struct ChurnRun {
    std::thread thread;
    std::atomic<bool> ended{false};
};

class HookCore final : public Napi::ObjectWrap<HookCore> {
public:
    static void define(Napi::Env env, Napi::Object exports) {
        exports.Set("HookCore", DefineClass(env, "HookCore",
                                            {
                                                InstanceMethod<&HookCore::start>("start"),
                                                InstanceMethod<&HookCore::stop>("stop"),
                                                InstanceMethod<&HookCore::renew>("renew"),
                                                InstanceMethod<&HookCore::close>("close"),
                                                InstanceMethod<&HookCore::status>("status"),
                                                InstanceMethod<&HookCore::takeLog>("takeLog"),
                                                InstanceMethod<&HookCore::setConfig>("setConfig"),
                                                InstanceMethod<&HookCore::setService>("setService"),
                                                InstanceMethod<&HookCore::requestResync>("requestResync"),
                                                InstanceMethod<&HookCore::annotate>("annotate"),
                                                InstanceMethod<&HookCore::put>("put"),
                                                InstanceMethod<&HookCore::remove>("remove"),
                                                InstanceMethod<&HookCore::putSilently>("putSilently"),
                                                InstanceMethod<&HookCore::removeSilently>("removeSilently"),
                                                InstanceMethod<&HookCore::clearSilently>("clearSilently"),
                                                InstanceMethod<&HookCore::leases>("leases"),
                                                InstanceMethod<&HookCore::leaseCount>("leaseCount"),
                                                InstanceMethod<&HookCore::generate>("generate"),
                                                InstanceMethod<&HookCore::churn>("churn"),
                                                InstanceMethod<&HookCore::failPages>("failPages"),
                                                InstanceMethod<&HookCore::delayPages>("delayPages"),
                                            }));
    }

    explicit HookCore(const Napi::CallbackInfo& info) : Napi::ObjectWrap<HookCore>(info) {
        if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "settings are needed");
        const Napi::Object given = info[0].As<Napi::Object>();
        const double family = numberFrom(given, "family", 0);
        if (family != 4 && family != 6) throw Napi::RangeError::New(info.Env(), "family must be 4 or 6");
        settings_.family = family == 4 ? Family::v4 : Family::v6;
        settings_.endpoint = textFrom(given, "endpoint");
        settings_.ring_events = size(given, "ringEvents", settings_.ring_events);
        settings_.ring_octets = size(given, "ringOctets", settings_.ring_octets);
        settings_.page_share = numberFrom(given, "pageShare", settings_.page_share);
        settings_.page_leases = size(given, "pageLeases", settings_.page_leases);
        settings_.page_slow_ms = static_cast<std::uint32_t>(numberFrom(given, "pageSlowMs", settings_.page_slow_ms));
        settings_.curve_secret_key_file = textFrom(given, "curveKeyFile");
        readIdentity(given);
        leases_ = std::make_unique<SimulatedLeases>(settings_.family);
        main_ = std::make_unique<JobThread>();
        make(info.Env());
    }

    // Also when JavaScript forgot close(), and when the environment is torn down.
    ~HookCore() override { shut(); }

private:
    static std::size_t size(const Napi::Object& object, const char* name, std::size_t otherwise) {
        const double value = numberFrom(object, name, static_cast<double>(otherwise));
        if (!(value >= 1 && value <= 1e12)) {
            throw Napi::RangeError::New(object.Env(), std::string(name) + " is out of range");
        }
        return static_cast<std::size_t>(value);
    }

    void readIdentity(const Napi::Object& given) {
        identity_.kea_version = "0.0.0-simulated";
        identity_.hook_version = "0.1.0";
        const Napi::Value value = given.Get("identity");
        if (!value.IsObject()) return;
        const Napi::Object object = value.As<Napi::Object>();
        if (object.Has("keaVersion")) identity_.kea_version = textFrom(object, "keaVersion");
        if (object.Has("hookVersion")) identity_.hook_version = textFrom(object, "hookVersion");
        if (object.Has("serverDuid")) identity_.server_duid = octetsFrom(object.Get("serverDuid"), "serverDuid");
        if (object.Has("serverIdentifiers")) {
            const Napi::Array list = object.Get("serverIdentifiers").As<Napi::Array>();
            for (std::uint32_t i = 0; i < list.Length(); ++i) {
                identity_.server_identifiers.push_back(octetsFrom(list[i], "serverIdentifiers"));
            }
        }
        identity_.tap = flagFrom(object, "tap", true);
        identity_.extended_info = flagFrom(object, "extendedInfo", false);
    }

    void make(Napi::Env env) {
        try {
            feed_ = std::make_shared<Feed>(settings_, identity_, *leases_, *main_, log_);
            if (has_config_) feed_->setConfig(config_);
            if (has_service_) feed_->setService(service_);
        } catch (const std::exception& error) {
            throw Napi::Error::New(env, error.what());
        }
    }

    void endChurns() {
        cancel_.store(true);
        for (ChurnRun& run : churns_) {
            if (run.thread.joinable()) run.thread.join();
        }
        churns_.clear();
        cancel_.store(false);
    }

    void shut() noexcept {
        endChurns();
        feed_.reset();
        main_.reset();
    }

    Feed& feed(Napi::Env env) {
        if (!feed_) throw Napi::Error::New(env, "this HookCore has been closed");
        return *feed_;
    }

    Napi::Value start(const Napi::CallbackInfo& info) {
        try {
            feed(info.Env()).start();
        } catch (const FeedError& error) {
            throw Napi::Error::New(info.Env(), error.what());
        }
        return info.Env().Undefined();
    }

    Napi::Value stop(const Napi::CallbackInfo& info) {
        const double drain = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 200;
        feed(info.Env()).stop(static_cast<std::uint32_t>(drain));
        return info.Env().Undefined();
    }

    Napi::Value renew(const Napi::CallbackInfo& info) {
        feed(info.Env());
        endChurns();
        feed_.reset();
        make(info.Env());
        return info.Env().Undefined();
    }

    Napi::Value close(const Napi::CallbackInfo& info) {
        shut();
        return info.Env().Undefined();
    }

    Napi::Value status(const Napi::CallbackInfo& info) { return toObject(info.Env(), feed(info.Env()).status()); }

    Napi::Value takeLog(const Napi::CallbackInfo& info) {
        static const char* const levels[] = {"debug", "info", "warn", "error"};
        Napi::Array lines = Napi::Array::New(info.Env());
        for (const KeptLog::Line& line : log_.take()) {
            Napi::Object object = Napi::Object::New(info.Env());
            object.Set("level", levels[static_cast<int>(line.level)]);
            object.Set("id", line.id);
            object.Set("text", line.text);
            lines.Set(lines.Length(), object);
        }
        return lines;
    }

    Napi::Value setConfig(const Napi::CallbackInfo& info) {
        config_ = octetsFrom(info[0], "config");
        has_config_ = true;
        feed(info.Env()).setConfig(config_);
        return info.Env().Undefined();
    }

    Napi::Value setService(const Napi::CallbackInfo& info) {
        service_ = info[0].ToString().Utf8Value();
        has_service_ = true;
        feed(info.Env()).setService(service_);
        return info.Env().Undefined();
    }

    Napi::Value requestResync(const Napi::CallbackInfo& info) {
        feed(info.Env()).requestResync();
        return info.Env().Undefined();
    }

    Napi::Value annotate(const Napi::CallbackInfo& info) {
        const Napi::Object given = info[0].As<Napi::Object>();
        const OwnedLease client = leaseFrom(given);  // address and the three of the client
        AnnotationView view;
        view.address = client.address;
        view.hardware_type = client.hardware_type;
        view.hardware_address = client.hardware_address;
        view.client_id = client.client_id;
        view.origin = originFrom(given);
        OwnedPacket packet;
        PacketView packet_view;
        if (given.Get("packet").IsObject()) {
            packet = packetFrom(given.Get("packet").As<Napi::Object>());
            packet_view = packet.view();
            view.packet = &packet_view;
        }
        return Napi::Number::New(info.Env(), static_cast<double>(feed(info.Env()).annotate(view)));
    }

    // What the tap does with a change: {origin, packet} are the second argument.
    SimulatedLeases::Publish tap(const Napi::CallbackInfo& info) {
        Feed& to = feed(info.Env());
        Origin origin = Origin::unknown;
        std::shared_ptr<OwnedPacket> packet;
        if (info.Length() > 1 && info[1].IsObject()) {
            const Napi::Object how = info[1].As<Napi::Object>();
            origin = originFrom(how);
            if (how.Get("packet").IsObject()) {
                packet = std::make_shared<OwnedPacket>(packetFrom(how.Get("packet").As<Napi::Object>()));
            }
        }
        return [&to, origin, packet](Operation op, const LeaseView& lease) {
            if (!packet) return to.publish(op, lease, origin, nullptr);
            const PacketView view = packet->view();
            return to.publish(op, lease, origin, &view);
        };
    }

    OwnedLease lease(const Napi::CallbackInfo& info) const {
        if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "a lease is needed");
        OwnedLease given = leaseFrom(info[0].As<Napi::Object>());
        checkAddress(info.Env(), given.address);
        return given;
    }

    std::string address(const Napi::CallbackInfo& info) const {
        std::string given = octetsFrom(info[0], "address");
        checkAddress(info.Env(), given);
        return given;
    }

    void checkAddress(Napi::Env env, const std::string& given) const {
        const std::size_t octets = settings_.family == Family::v4 ? 4 : 16;
        if (given.size() != octets) {
            throw Napi::RangeError::New(env, "an address of this family has " + std::to_string(octets) + " octets");
        }
    }

    Napi::Value put(const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(leases_->put(lease(info), tap(info))));
    }
    Napi::Value remove(const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(leases_->remove(address(info), tap(info))));
    }
    Napi::Value putSilently(const Napi::CallbackInfo& info) {
        leases_->put(lease(info), {});
        return info.Env().Undefined();
    }
    Napi::Value removeSilently(const Napi::CallbackInfo& info) {
        leases_->remove(address(info), {});
        return info.Env().Undefined();
    }
    Napi::Value clearSilently(const Napi::CallbackInfo& info) {
        leases_->clear();
        return info.Env().Undefined();
    }

    Napi::Value leases(const Napi::CallbackInfo& info) {
        const std::string after =
            info.Length() > 0 && !info[0].IsUndefined() ? octetsFrom(info[0], "after") : std::string();
        const double limit = info.Length() > 1 && info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : 1e6;
        Napi::Array all = Napi::Array::New(info.Env());
        std::uint32_t next = 0;
        leases_->list(after, static_cast<std::size_t>(limit),
                      [&](const LeaseView& view) { all.Set(next++, toObject(info.Env(), view)); });
        return all;
    }

    Napi::Value leaseCount(const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(leases_->count()));
    }

    Napi::Value generate(const Napi::CallbackInfo& info) {
        const Napi::Object given = info[0].As<Napi::Object>();
        Generated generated;
        generated.count = static_cast<std::uint32_t>(numberFrom(given, "count", 0));
        generated.first = given.Has("first") ? octetsFrom(given.Get("first"), "first")
                          : settings_.family == Family::v4
                              ? std::string("\x0a\0\0\0", 4)
                              : std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16);
        checkAddress(info.Env(), generated.first);
        generated.valid_lifetime = static_cast<std::uint32_t>(numberFrom(given, "validLifetime", 3600));
        generated.leases_per_subnet = static_cast<std::uint32_t>(numberFrom(given, "leasesPerSubnet", 65536));
        generated.leases_per_relay = static_cast<std::uint32_t>(numberFrom(given, "leasesPerRelay", 1000));
        generated.stored_relay = flagFrom(given, "storedRelay", false);
        generated.cltt =
            static_cast<std::uint64_t>(numberFrom(given, "cltt", static_cast<double>(wallClockMs() / 1000)));
        leases_->generate(std::move(generated));
        return info.Env().Undefined();
    }

    Napi::Value churn(const Napi::CallbackInfo& info) {
        feed(info.Env());
        const Napi::Object given = info[0].As<Napi::Object>();
        Churn churn;
        churn.changes = static_cast<std::uint64_t>(numberFrom(given, "changes", 0));
        churn.seed = static_cast<std::uint64_t>(numberFrom(given, "seed", 1));
        churn.in_order = flagFrom(given, "inOrder", false);
        churn.rate = numberFrom(given, "rate", 0);
        churn.removals = numberFrom(given, "removals", 0);
        churn.new_clients = numberFrom(given, "newClients", 0);

        churns_.remove_if([](ChurnRun& run) {
            if (!run.ended.load()) return false;
            run.thread.join();
            return true;
        });
        auto deferred = std::make_shared<Napi::Promise::Deferred>(info.Env());
        const auto nothing = Napi::Function::New(info.Env(), [](const Napi::CallbackInfo&) {});
        auto tell = Napi::ThreadSafeFunction::New(info.Env(), nothing, "lease_feed.churn", 0, 1);
        Ref();  // not collected while a thread works on it
        churns_.emplace_back();
        ChurnRun& run = churns_.back();
        run.thread = std::thread([this, churn, tell, deferred, &run]() mutable {
            const std::uint64_t changes = leases_->churn(churn, *feed_, cancel_);
            run.ended.store(true);
            // In an environment that is being torn down this is refused, and nobody waits for the promise.
            tell.NonBlockingCall([this, deferred, changes](Napi::Env env, Napi::Function) {
                deferred->Resolve(Napi::Number::New(env, static_cast<double>(changes)));
                Unref();
            });
            tell.Release();
        });
        return deferred->Promise();
    }

    Napi::Value failPages(const Napi::CallbackInfo& info) {
        const bool not_ready = info.Length() > 1 && info[1].ToBoolean().Value();
        if (info[0].IsString()) leases_->failPages(info[0].ToString().Utf8Value(), not_ready);
        else leases_->failPages(std::nullopt, false);
        return info.Env().Undefined();
    }

    Napi::Value delayPages(const Napi::CallbackInfo& info) {
        leases_->delayPages(info[0].ToNumber().Uint32Value());
        return info.Env().Undefined();
    }

    FeedSettings settings_;
    Identity identity_;
    std::string config_, service_;
    bool has_config_ = false, has_service_ = false;
    KeptLog log_;
    std::unique_ptr<SimulatedLeases> leases_;
    std::unique_ptr<JobThread> main_;
    std::shared_ptr<Feed> feed_;  // before main_: it stops using it
    std::atomic<bool> cancel_{false};
    std::list<ChurnRun> churns_;
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
    HookCore::define(env, exports);
    return exports;
}

}  // namespace

NODE_API_MODULE(lease_feed_core, init)

}  // namespace lease_feed
