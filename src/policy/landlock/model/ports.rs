//! What operations on sockets and other processes need.

use super::needs::{FOLLOW, HANDLED_NET, HANDLED_SCOPE, ModelCase, RightsRuling, RulesNotAsked, unknown};
use super::tree::ObjectKind;
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::landlock::table::NetPortRule;
use crate::policy::model_answer::Need;
use crate::record::outcome::Decision;

impl ModelCase<'_> {
    pub(super) fn port(&mut self, right: NetRight) -> Result<RightsRuling, RulesNotAsked> {
        let Some((_, port)) = self.action.target.rsplit_once(':') else {
            return unknown(format!("`{}` is not HOST:PORT", self.action.target));
        };
        let port = port.to_owned();
        self.port_rule(right, &port)
    }

    pub(super) fn port_rule(&mut self, right: NetRight, port: &str) -> Result<RightsRuling, RulesNotAsked> {
        self.draft.needs.push(Need { right: right.name(), on: format!("port {port}") });
        let mut granted: Vec<String> = Vec::new();
        let mut refusing = Vec::new();
        for (n, layer) in self.policy.layers.iter().enumerate().filter(|(_, layer)| layer.handled_net.contains(right)) {
            let rules = layer.net_port.iter().enumerate().filter(|(_, rule)| rule.allow.contains(right));
            let mut by = None;
            let mut unlike = Vec::new();
            for (place, rule) in rules {
                match same_port(&rule.port, port) {
                    Some(true) => {
                        by = Some(self.at(n, &format!("/net_port/{place}")));
                        break;
                    }
                    Some(false) => {}
                    None => unlike.push(format!("`{port}` and `{}` do not stand for the same port", rule.port)),
                }
            }
            match by {
                Some(rule) => granted.push(rule),
                None => refusing.push((n, unlike)),
            }
        }
        // Whoever is refused by one layer for certain need not take anything for granted of another.
        refusing.sort_by_key(|(n, unlike)| (unlike.len(), *n));
        if let Some((layer, mut unlike)) = refusing.into_iter().next() {
            self.draft.assumes.append(&mut unlike);
            self.block(format!("net.{}", right.name()));
            let reason = format!("{} is handled, and no rule grants it on port {port}", right.name());
            return Ok(RightsRuling::deny(&self.at(layer, HANDLED_NET), reason));
        }
        Ok(match granted.first() {
            None => {
                let reason = format!("{} is not handled by the policy", right.name());
                RightsRuling::allow(Some(&self.at(0, HANDLED_NET)), reason)
            }
            Some(rule) => {
                RightsRuling::allow(Some(rule), format!("granted: {} by {}", right.name(), granted.join(", ")))
            }
        })
    }

    /// A port right that some kernels ask for and others do not: only what is allowed in either case is certain.
    pub(super) fn not_every_kernel(&mut self, right: NetRight, why: &str) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.port(right)?;
        if ruling.decision == Decision::Deny { unknown(why) } else { Ok(ruling) }
    }

    pub(super) fn udp_send(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.port(NetRight::ConnectSendUdp)?;
        // Sending from a socket that was never bound makes the kernel pick a port; under a policy that handles
        // binding this may be refused as well.
        let mut binding = self.policy.layers.iter().filter(|layer| layer.handled_net.contains(NetRight::BindUdp));
        let zero =
            |rule: &NetPortRule| rule.allow.contains(NetRight::BindUdp) && same_port(&rule.port, "0") == Some(true);
        if ruling.decision == Decision::Allow && binding.any(|layer| !layer.net_port.iter().any(zero)) {
            return unknown("the socket is bound implicitly, and bind_udp is handled without a rule on port 0");
        }
        Ok(ruling)
    }

    pub(super) fn unix_connect(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let found = self.find(&self.action.target, FOLLOW)?;
        // The listener makes the node in a folder that is there, so a missing last part is no obstacle.
        let place = match found.place {
            Some(place) if *self.tree.kind(place.name) == ObjectKind::Host => place,
            Some(_) => return unknown("the target is no socket"),
            None => found.parent,
        };
        let handled = self.policy.layers.iter().any(|layer| layer.handled_fs.contains(FsRight::ResolveUnix));
        let ruling = self.require(place, &[FsRight::ResolveUnix])?;
        if !handled {
            return Ok(ruling);
        }
        Ok(RightsRuling { reason: format!("the socket's owner is outside the domain; {}", ruling.reason), ..ruling })
    }

    pub(super) fn scope(&mut self, scope: Scope, who: &str) -> Result<RightsRuling, RulesNotAsked> {
        let name = scope.name();
        Ok(match self.policy.layers.iter().position(|layer| layer.scoped.contains(scope)) {
            Some(layer) => {
                self.block(format!("scope.{name}"));
                let reason = format!("the policy has the scope {name}, and {who}");
                RightsRuling::deny(&self.at(layer, HANDLED_SCOPE), reason)
            }
            None => {
                let reason = format!("the policy does not have the scope {name}");
                RightsRuling::allow(Some(&self.at(0, HANDLED_SCOPE)), reason)
            }
        })
    }
}

/// Whether two port texts stand for the same port; `None` for a number against a port that the run picks.
fn same_port(rule: &str, used: &str) -> Option<bool> {
    match (rule.parse::<u16>(), used.parse::<u16>()) {
        (Ok(a), Ok(b)) => Some(a == b),
        // The run picks ports that are free, never 0, and different ones for different names.
        (Err(_), Err(_)) => Some(rule == used),
        (Ok(0), Err(_)) | (Err(_), Ok(0)) => Some(false),
        _ => None,
    }
}
